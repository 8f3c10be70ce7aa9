"""A shopping cart: what is in it, what is taken off, what is to be paid."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Item:
    """Something bought. The price is for one, in pence."""

    name: str
    price: int
    quantity: int = 1


@dataclass
class Cart:
    """Items and one discount for all of them, in per cent."""

    discount_percent: int = 0
    items: list[Item] = field(default_factory=list)

    def add(self, name: str, price: int, quantity: int = 1) -> None:
        if price < 0 or quantity < 1:
            raise ValueError(f"cannot add {quantity} x {name} at {price}")
        self.items.append(Item(name, price, quantity))

    def subtotal(self) -> int:
        return sum(item.price * item.quantity for item in self.items)

    def discount(self) -> int:
        return self.subtotal() * self.discount_percent // 100

    def total(self) -> int:
        reduced = self.subtotal() - self.discount()
        return reduced - reduced * self.discount_percent // 100
