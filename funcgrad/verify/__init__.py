"""Trust: is a gradient right?"""
