//! nagle
