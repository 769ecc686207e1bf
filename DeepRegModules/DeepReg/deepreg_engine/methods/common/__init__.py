"""What the methods share: parameters, presets, alignment, guide landmarks, image pyramids and devices."""
