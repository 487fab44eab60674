//! A goal, profiles and a catalogue to margin-safe candidate promotions.
