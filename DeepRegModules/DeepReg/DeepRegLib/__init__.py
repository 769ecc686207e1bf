"""The module DeepReg, without the classes that the application loads."""
