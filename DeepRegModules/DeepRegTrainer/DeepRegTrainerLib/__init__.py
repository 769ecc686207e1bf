"""The module DeepRegTrainer, apart from what the application has to see."""
