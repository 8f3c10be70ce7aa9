"""What a customer must pay."""

import unittest

from shop.cart import Cart


class TotalTest(unittest.TestCase):
    def test_without_a_discount_the_total_is_the_sum(self) -> None:
        cart = Cart()
        cart.add("tea", 350, quantity=2)
        cart.add("milk", 120)
        self.assertEqual(cart.total(), 820)

    def test_a_discount_is_taken_off_once(self) -> None:
        cart = Cart(discount_percent=10)
        cart.add("kettle", 2000)
        self.assertEqual(cart.total(), 1800)

    def test_an_empty_cart_costs_nothing(self) -> None:
        self.assertEqual(Cart(discount_percent=10).total(), 0)


if __name__ == "__main__":
    unittest.main()
