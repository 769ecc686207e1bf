"""The module DeepRegDense, apart from what the application has to see."""
