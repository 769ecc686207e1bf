"""The module DeepRegPoints, without the classes that the application loads."""
