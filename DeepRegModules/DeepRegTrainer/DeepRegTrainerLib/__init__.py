"""The module DeepRegTrainer, without the classes that the application loads."""
