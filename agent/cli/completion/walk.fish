# Which command the words before the cursor name, and how many arguments it has so far.
function __mailwarden_where
    set -l path
    set -l count 0
    set -l skip no
    set -l ended no
    set -l words (commandline -opc)
    for word in $words[2..]
        if test $skip = yes
            set skip no
        else if test $ended = no; and test "$word" = --
            set ended yes
        else if test $ended = no; and string match -q -- '-?*' "$word"
            # --name=value has its value with it.
            if not string match -q -- '*=*' "$word"; and __mailwarden_takes "$path $word"
                set skip yes
            end
        else if test $count = 0; and __mailwarden_leads (string trim -- "$path $word")
            set path (string trim -- "$path $word")
        else
            set count (math $count + 1)
        end
    end
    echo $path
    echo $count
end

# Is the cursor behind this command, and at this argument of it? 2+ is the second or a later one.
function __mailwarden_at -a path place
    set -l where (__mailwarden_where)
    test "$where[1]" = "$path"; or return 1
    set -l next (math $where[2] + 1)
    switch "$place"
        case ''
            return 0
        case '*+'
            test $next -ge (string trim -c + -- $place)
        case '*'
            test $next = $place
    end
end

# Words with commas between them: those that are there, and each that is not.
function __mailwarden_list
    set -l token (string replace -r -- '^--[^=]*=' '' (commandline -ct))
    set -l done (string split -- , $token)[1..-2]
    for word in $argv
        contains -- $word $done; or string join , $done $word
    end
end
