"""The mathematics of comparing arms; scipy and statsmodels are imported where they are called, because they take long to load."""
