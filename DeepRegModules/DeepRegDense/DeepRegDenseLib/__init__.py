"""The module DeepRegDense, without the classes that the application loads."""
