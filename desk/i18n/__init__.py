"""Languages of the desk: messages, dates and numbers as their readers write them."""
