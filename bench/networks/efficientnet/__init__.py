"""EfficientNet (Tan and Le 2019) and EfficientNetV2 (2021): its plan, its operators, its modules and how they fold."""
