"""Place and zoom of slice views, see :mod:`deepreg_slicer.slice_states`."""

from deepreg_slicer.slice_states import Settling, placeOf, scaleOf, setPlace, setScale, sizeOf

__all__ = ["Settling", "placeOf", "scaleOf", "setPlace", "setScale", "sizeOf"]
