"""Flights, the auction, views and clicks."""
