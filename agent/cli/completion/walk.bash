# Asks nothing but the words of the line; evaluates none of them. Works without the package bash-completion.
_mailwarden() {
  local IFS=$' \t\n'
  local i part word cur path='' wanted='' ended='' head='' value='' kind='' place lead named='' glue=''
  local -i position=0
  local -a line=() words=() commands=() options=()
  COMPREPLY=()

  # readline breaks words at = : and @, which belong to ours.
  for ((i = 1; i <= COMP_CWORD; i++)); do
    part=${COMP_WORDS[i]}
    if ((${#line[@]} > 0)) && [[ -n $part && -z ${part//[=:@]/} ]]; then
      line[${#line[@]} - 1]+=$part
      glue=yes
    elif [[ -n $glue ]]; then
      line[${#line[@]} - 1]+=$part
      glue=''
    else
      line+=("$part")
    fi
  done
  cur=${line[${#line[@]} - 1]}
  # What readline keeps before that which it replaces.
  part=${COMP_WORDS[COMP_CWORD]}
  if [[ -z ${part//[=:@]/} ]]; then lead=$cur; else lead=${cur%"$part"}; fi
  [[ $part == [\"\']* ]] && cur=$lead${part:1}

  _mailwarden_at ''
  for ((i = 0; i < ${#line[@]} - 1; i++)); do
    word=${line[i]}
    if [[ -n $wanted ]]; then
      wanted=''
    elif [[ -z $ended && $word == -- ]]; then
      ended=yes
    elif [[ -z $ended && $word == --*=* ]]; then
      continue
    elif [[ -z $ended && $word == -?* ]]; then
      if _mailwarden_value "$path" "$word"; then wanted=$word; fi
    elif ((position == 0)) && _mailwarden_at "${path:+$path }$word"; then
      path=${path:+$path }$word
    else
      position+=1
    fi
  done

  value=$cur
  place=$((position + 1))
  if [[ -n $wanted ]]; then
    _mailwarden_value "$path" "$wanted"
  elif [[ -z $ended && $cur == --*=* ]]; then
    head=${cur%%=*}=
    value=${cur#*=}
    _mailwarden_value "$path" "${cur%%=*}" || return 0
  elif [[ -z $ended && $cur == -* ]]; then
    kind=one
    words=("${options[@]}")
  elif ((${#commands[@]} > 0)); then
    ((position == 0)) || return 0
    kind=one
    words=("${commands[@]}")
  elif ! _mailwarden_value "$path" "$place"; then
    # Nothing more stands here but options.
    [[ -z $ended ]] || return 0
    kind=one
    words=("${options[@]}")
  fi

  case $kind in
    file) compopt -o default 2>/dev/null ;;
    folder) compopt -o dirnames 2>/dev/null ;;
    list)
      named=${value%"${value##*,}"}
      head=$head$named
      value=${value##*,}
      compopt -o nospace 2>/dev/null
      ;;
  esac
  for word in "${words[@]}"; do
    [[ $word == "$value"* && ,$named != *",$word,"* ]] || continue
    word=$head$word
    COMPREPLY+=("${word#"$lead"}")
  done
  return 0
}

complete -F _mailwarden mailwarden
