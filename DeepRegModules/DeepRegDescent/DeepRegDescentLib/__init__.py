"""The module DeepRegDescent, apart from what the application has to see."""
