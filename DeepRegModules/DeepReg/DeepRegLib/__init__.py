"""The module DeepReg, apart from what the application has to see."""
