"""What is wanted: requests, their ids, their price, and how they compare with what is there."""
