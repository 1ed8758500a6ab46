# SPDX-License-Identifier: MIT
# bash completion for sluice
_sluice() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]-}
    local colours='auto always never'

    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "acpi devicetree explain --help --usage --version" -- "$cur")
        return
    fi
    case $prev in
    --colour | --color)
        mapfile -t COMPREPLY < <(compgen -W "$colours" -- "$cur")
        return
        ;;
    =) # the shell splits --colour=always in three
        case ${COMP_WORDS[COMP_CWORD - 2]} in
        --colour | --color) mapfile -t COMPREPLY < <(compgen -W "$colours" -- "$cur") ;;
        *) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
        esac
        return
        ;;
    esac
    case $command:$cur in
    acpi:-* | devicetree:-*)
        mapfile -t COMPREPLY < <(compgen -W "--lint --rules --json --colour --color --help --usage
            --version" -- "$cur")
        ;;
    explain:-*)
        mapfile -t COMPREPLY < <(compgen -W "--follow --json --brief --explanations --acpi
            --colour --color --help --usage --version" -- "$cur")
        ;;
    *)
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        ;;
    esac
}
complete -o filenames -F _sluice sluice
