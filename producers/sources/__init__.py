"""One file per vendor: its spellings into one `SessionEvent`.

A file here that names a `VENDOR` is a vendor; there is no other list.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import Final

from producers.sources.vendor import Vendor


def _found() -> dict[str, Vendor]:
    modules = [import_module(f"{__name__}.{info.name}") for info in iter_modules(__path__)]
    declared = [module.VENDOR for module in modules if hasattr(module, "VENDOR")]
    by_name: dict[str, Vendor] = {}
    for vendor in sorted(declared, key=lambda vendor: str(vendor.name)):
        if by_name.setdefault(vendor.name, vendor) is not vendor:
            raise ImportError(f"two files declare the vendor {vendor.name}")
    return by_name


VENDORS: Final = _found()
"""Every vendor by its name; each one's `normalise` is pure and raises NotJson or InvalidDelivery."""
