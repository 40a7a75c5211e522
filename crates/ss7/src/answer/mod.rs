//! **answer**: what the gateway says in the place of a node that was asked.
