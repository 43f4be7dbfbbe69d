//! What is said to the script, by its words.
