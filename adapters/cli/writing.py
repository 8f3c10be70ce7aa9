"""A writing verb's way to its desk: what can go wrong on it, as sentences."""

from collections.abc import Iterator
from contextlib import contextmanager

from adapters.cli.call import Call, bad_setting
from adapters.cli.failure import BAD, EXIT_OF_CODE, NOT_PERMITTED, USAGE, Failure
from adapters.cli.pasted import pasted
from adapters.config.table import BadSetting
from adapters.desk import Desk, NotTrusted, desk
from adapters.home import NoHome
from eventstore.text.mirror import MirrorAhead
from handlers.decider import Refused


@contextmanager
def at_desk(call: Call, *, starts_programs: bool = False) -> Iterator[Desk]:
    """Settings' warnings are said; refusals of rules become exit codes."""
    home = call.home()
    try:
        with desk(home, call.environ, starts_programs=starts_programs) as found:
            for warning in found.settings.warnings:
                call.output.note(f"note: {warning}")
            yield found
        for note in found.notes:
            call.output.note(f"note: {note}")
    except NoHome as broken:
        raise Failure(USAGE, "bad_home", str(broken), "") from None
    except BadSetting as bad:
        raise bad_setting(bad) from None
    except NotTrusted as strange:
        hint = f"If you trust it: `evt init {pasted(home.root)}`, or name it with `--home`."
        raise Failure(NOT_PERMITTED, "not_permitted", str(strange), hint) from None
    except MirrorAhead as ahead:
        raise Failure(BAD, "log_behind_mirror", f"{ahead}.", "") from None
    except Refused as no:
        raise Failure(EXIT_OF_CODE.get(no.code, USAGE), no.code, no.sentence, no.hint) from None
