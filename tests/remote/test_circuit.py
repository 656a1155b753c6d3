"""Circuits: when is something asked at all."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.remote.circuit import Circuit, Circuits, CircuitVerdict


class CircuitTests(SynchronousTestCase):
    """One circuit, by the clock of the test."""

    def test_opens_after_some_failures_in_a_row(self) -> None:
        """A success between them begins the count anew."""
        circuit = Circuit()
        for now in range(4):
            circuit.failed(now)
        circuit.succeeded()
        for now in range(4):
            circuit.failed(now)
        self.assertIs(circuit.judge(5), CircuitVerdict.ASK)
        circuit.failed(5)
        self.assertIs(circuit.judge(6), CircuitVerdict.REFUSE)
        self.assertEqual(circuit.retry_after(6), 4)

    def test_one_probe_at_a_time(self) -> None:
        """After the wait one question is let through; the wait doubles if it fails."""
        circuit = Circuit()
        for _ in range(5):
            circuit.failed(0)
        self.assertIs(circuit.judge(5), CircuitVerdict.PROBE)
        self.assertIs(circuit.judge(5), CircuitVerdict.REFUSE)
        circuit.failed(6)
        self.assertIs(circuit.judge(15), CircuitVerdict.REFUSE)
        self.assertIs(circuit.judge(16), CircuitVerdict.PROBE)
        circuit.abandoned()
        self.assertIs(circuit.judge(16), CircuitVerdict.PROBE)
        circuit.succeeded()
        self.assertIs(circuit.judge(16), CircuitVerdict.ASK)

    def test_wait_has_an_end(self) -> None:
        """It is never longer than a minute."""
        circuit, now = Circuit(), 0.0
        for _ in range(30):
            circuit.failed(now)
            circuit.judge(now := now + 60)
        circuit.failed(now)
        self.assertLessEqual(circuit.retry_after(now), 60)

    def test_opens_by_a_probe(self) -> None:
        """Failures ask for a probe, and only its failure opens."""
        circuit = Circuit(opens_by_probe=True)
        for _ in range(9):
            circuit.failed(0)
        self.assertIs(circuit.judge(0), CircuitVerdict.PROBE)
        self.assertIs(circuit.judge(0), CircuitVerdict.PROBE)
        circuit.probe_failed(0)
        self.assertIs(circuit.judge(1), CircuitVerdict.REFUSE)
        self.assertIs(circuit.judge(5), CircuitVerdict.PROBE)
        circuit.succeeded()
        self.assertIs(circuit.judge(5), CircuitVerdict.ASK)

    def test_many_are_bounded(self) -> None:
        """Of many things that fail, the oldest are forgotten."""
        circuits = Circuits(max_entries=10)
        for number in range(20):
            for _ in range(5):
                circuits.failed(number, 0)
        self.assertIs(circuits.judge(0, 0), CircuitVerdict.ASK)
        self.assertIs(circuits.judge(19, 0), CircuitVerdict.REFUSE)
        circuits.succeeded(19)
        self.assertIs(circuits.judge(19, 0), CircuitVerdict.ASK)
        self.assertEqual(circuits.retry_after("x", 0), 0)
