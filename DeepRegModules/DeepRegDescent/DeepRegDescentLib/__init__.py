"""The module DeepRegDescent, without the classes that the application loads."""
