"""The module DeepRegRegister, without the classes that the application loads."""
