"""What a customer must pay."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from shop.cart import Cart

cart = Cart(discount_percent=10)
cart.add(2000)
print("a kettle of 20.00 with 10 % off costs", cart.total())
sys.exit(cart.total() != 1800)
