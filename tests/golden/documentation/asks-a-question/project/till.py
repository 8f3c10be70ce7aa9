"""Who may open the till."""

import hmac

PINS = {"ada": "4711", "ben": "0815"}
_tries: dict[str, int] = {}


def may_open(name: str, pin: str) -> bool:
    _tries[name] = _tries.get(name, 0) + 1
    if _tries[name] > 3:
        return False
    if pin == PINS[name]:
        _tries[name] = 0
        return True
    return False


def same(first: str, second: str) -> bool:
    return hmac.compare_digest(first, second)
