"""A cart: what is in it, and what is to be paid."""


class Cart:
    def __init__(self, discount_percent: int = 0) -> None:
        self.discount_percent = discount_percent
        self.lines: list[tuple[int, int]] = []

    def add(self, pence: int, quantity: int = 1) -> None:
        self.lines.append((pence, quantity))

    def subtotal(self) -> int:
        return sum(pence * quantity for pence, quantity in self.lines)

    def total(self) -> int:
        reduced = self.subtotal() * (100 - self.discount_percent) // 100
        return reduced * (100 - self.discount_percent) // 100
