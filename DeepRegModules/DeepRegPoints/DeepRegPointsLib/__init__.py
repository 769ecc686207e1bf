"""The module DeepRegPoints, apart from what the application has to see."""
