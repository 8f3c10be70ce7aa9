"""The scripts of `evt completion`, one a shell: each hands the words over and shows what comes back."""

from collections.abc import Mapping
from typing import Final

BASH: Final = r"""# evt: completion for bash 3.2 and newer
_evt() {
    local words=("${COMP_WORDS[0]/#\~\//$HOME/}") last=0 piece kind= text says
    for piece in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
        piece=${piece//[\"\'\\]/}
        # bash takes `--status=failed` for three words.
        if [[ $piece == = && ${words[last]} == --* || ${words[last]} == --*= ]]; then
            words[last]+=$piece
        else
            words[++last]=$piece
        fi
    done
    COMPREPLY=()
    {
        IFS= read -r kind
        while IFS=$'\t' read -r text says; do
            [[ $COMP_WORDBREAKS == *=* && $text == --*=* ]] && text=${text#*=}
            COMPREPLY+=("$text")
        done
    } < <("${words[0]}" complete "--word=${words[last]}" -- "${words[@]:1:last-1}" 2>/dev/null)
    local IFS=$'\n'
    case $kind in
        files) compopt -o default 2>/dev/null || COMPREPLY=($(compgen -f -- "$2")) ;;
        folders) compopt -o dirnames 2>/dev/null || COMPREPLY=($(compgen -d -- "$2")) ;;
    esac
}
complete -o nosort -F _evt evt 2>/dev/null || complete -F _evt evt
"""

ZSH: Final = r"""#compdef evt
# evt: completion for zsh
_evt() {
    local evt=${words[1]/#\~\//$HOME/} kind line
    local -a lines texts shown
    lines=("${(@f)$("$evt" complete "--word=${(Q)PREFIX}" -- "${(@Q)words[2,CURRENT-1]}" 2>/dev/null)}")
    kind=$lines[1]
    shift lines
    case $kind in
        files | folders)
            [[ $PREFIX == --*=* ]] && compset -P '*='
            if [[ $kind == files ]]; then _files; else _files -/; fi
            return
            ;;
    esac
    for line in "${lines[@]}"; do
        texts+=("${line%%$'\t'*}")
        shown+=("${line/$'\t'/  -- }")
    done
    if [[ "${lines[*]}" == *$'\t'* ]]; then
        compadd -V evt -l -d shown -a texts
    else
        compadd -V evt -a texts
    fi
}
if [[ $funcstack[1] == _evt ]]; then _evt "$@"; else compdef _evt evt; fi
"""

FISH: Final = r"""# evt: completion for fish
function __evt_candidates
    set -l before (commandline -opc)
    set -l word (commandline -ct)
    set -l evt (string replace -r '^~/' "$HOME/" -- $before[1])
    set -e before[1]
    set -l lines ($evt complete --word="$word" -- $before 2>/dev/null)
    set -l kind $lines[1]
    set -e lines[1]
    # The shell completes files for a whole word: what stands before the `=` is put in front again.
    set -l head (string match -r -- '^--[^=]*=' "$word")
    set -l name (string replace -- "$head" '' "$word")
    switch "$kind"
        case files
            string replace -r '^' -- "$head" (__fish_complete_path "$name")
        case folders
            string replace -r '^' -- "$head" (__fish_complete_directories "$name")
        case '*'
            string join \n -- $lines
    end
end
complete -c evt -f -k -a '(__evt_candidates)'
"""

POWERSHELL: Final = r"""# evt: completion for PowerShell 5.1 and newer
Register-ArgumentCompleter -Native -CommandName 'evt', 'evt.exe' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $word = ''
    $words = @()
    foreach ($element in $commandAst.CommandElements) {
        if ($element.Extent.StartOffset -ge $cursorPosition) { break }
        if ($element.Extent.EndOffset -ge $cursorPosition) {
            $word = $element.Extent.Text.Substring(0, $cursorPosition - $element.Extent.StartOffset)
        } elseif ($element -is [System.Management.Automation.Language.StringConstantExpressionAst]) {
            $words += $element.Value
        } else {
            $words += $element.Extent.Text
        }
    }
    $evt = $words[0]
    $before = @($words | Select-Object -Skip 1)
    $encoding = [Console]::OutputEncoding
    try {
        [Console]::OutputEncoding = [System.Text.Encoding]::UTF8
        $kind, $lines = & $evt complete "--word=$word" '--' @before 2>$null
    } finally {
        [Console]::OutputEncoding = $encoding
    }
    # Of a list, such as `failed,queued`, PowerShell replaces the last item alone.
    $kept = $word.Length - $wordToComplete.Length
    if ($kept -lt 0 -or -not $word.EndsWith($wordToComplete)) { $kept = 0 }
    $files = { [System.Management.Automation.CompletionCompleters]::CompleteFilename($wordToComplete) }
    switch ($kind) {
        'files' { & $files }
        'folders' { & $files | Where-Object { $_.ResultType -eq 'ProviderContainer' } }
        'words' {
            foreach ($line in $lines) {
                $text, $says = $line -split "`t", 2
                if (-not $says) { $says = $text }
                [System.Management.Automation.CompletionResult]::new(
                    $text.Substring($kept), $text, 'ParameterValue', $says)
            }
        }
    }
}
"""

SCRIPTS: Final[Mapping[str, str]] = {"bash": BASH, "zsh": ZSH, "fish": FISH, "powershell": POWERSHELL}
