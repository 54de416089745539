"""What maubot loads: a main class in an empty package would not be found."""

from sluice.bot import Sluice as Sluice
