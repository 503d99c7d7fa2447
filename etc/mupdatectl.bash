# shellcheck shell=bash
# Completion of mupdatectl(8) for bash. What it offers is what the program's own help says.
#
# SPDX-License-Identifier: BSD-3-Clause

# Read the help of a program, or of one of its commands, into the caller's variables: values has
# for each option what stands behind it (FILE), commands has the names, takes the arguments.
__mupdatectl_read_help() {
    local line part section='' words

    values=() commands=() takes=''
    while IFS= read -r line; do
        if [[ $line == Usage:* ]]; then
            takes=${line#*'[OPTION ...] '}
            # What may be left out is options, mostly.
            while [[ $takes == *\[*\]* ]]; do
                takes=${takes%%\[*}${takes#*\]}
            done
        elif [[ $line != ' '* ]]; then
            section=$line
        elif [[ $section == Commands: && $line =~ ^\ \ ([a-z][a-z-]*)\  ]]; then
            commands+=("${BASH_REMATCH[1]}")
        elif [[ $line =~ ^(\ \ |\ {6})(-.*)$ ]]; then
            # "-o, --output FILE          write there"
            part=${BASH_REMATCH[2]%%  *}
            read -ra words <<<"${part//,/}"
            part=''
            [[ ${words[-1]} == -* ]] || part=${words[-1]}
            # A value that may be left out is never a word of its own.
            [[ $part == \[* ]] && part=''
            for line in "${words[@]}"; do
                [[ $line == -* ]] && values[$line]=$part
            done
        fi
    done < <(exec 2>/dev/null; "$@" --help)
}

# What may stand for a value of this kind.
__mupdatectl_offer_value() {
    local option=$1 kind=$2

    case $option:$kind in
    --format:*) mapfile -t COMPREPLY < <(compgen -W 'cyrus cyrus-json cyrus-text' -- "$cur") ;;
    --tls:*) mapfile -t COMPREPLY < <(compgen -W 'require try never' -- "$cur") ;;
    *:HOST*) mapfile -t COMPREPLY < <(compgen -A hostname -- "$cur") ;;
    *:*FILE* | *:PATH*)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        ;;
    *:DIR*)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        ;;
    esac
}

_mupdatectl() {
    local program=$1 cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local command='' i word takes commands
    local -A values

    COMPREPLY=()
    # readline takes --tls=try for three words.
    if [[ $cur == = ]]; then
        cur=''
    elif [[ $previous == = ]]; then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    __mupdatectl_read_help "$program"
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $word == = || -n ${values[$word]-} && ${COMP_WORDS[i + 1]} != = ]]; then
            i=$((i + 1))
        elif [[ $word != -* ]]; then
            command=$word
            __mupdatectl_read_help "$program" "$command"
            break
        fi
    done

    if [[ -n ${values[$previous]-} ]]; then
        __mupdatectl_offer_value "$previous" "${values[$previous]}"
    elif [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "${!values[*]}" -- "$cur")
    elif [[ -z $command ]]; then
        mapfile -t COMPREPLY < <(compgen -W "${commands[*]}" -- "$cur")
    elif [[ " $takes " =~ \ (FILE|DIRECTORY)\  ]]; then
        __mupdatectl_offer_value '' "${BASH_REMATCH[1]}"
    fi
}

complete -F _mupdatectl mupdatectl
