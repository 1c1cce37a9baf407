"""Where records come from: generative models and public data sets, each as cohorts."""
