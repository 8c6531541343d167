package model

import "testing"

// Every name of an operation is read, and no other.
func TestParseOps(t *testing.T) {
	for _, op := range UnaryOps() {
		if got, err := ParseUnaryOp(string(op)); got != op || err != nil {
			t.Errorf("%s: %v, %v", op, got, err)
		}
	}
	for _, op := range BinaryOps() {
		if got, err := ParseBinaryOp(string(op)); got != op || err != nil {
			t.Errorf("%s: %v, %v", op, got, err)
		}
	}
	for _, op := range ReduceOps() {
		if got, err := ParseReduceOp(string(op)); got != op || err != nil {
			t.Errorf("%s: %v, %v", op, got, err)
		}
	}
	if len(UnaryOps()) != 46 || len(BinaryOps()) != 18 || len(ReduceOps()) != 12 {
		t.Errorf("%d functions, %d operations, %d reductions", len(UnaryOps()), len(BinaryOps()), len(ReduceOps()))
	}
	for _, name := range []string{"", "sin", "Foo"} {
		_, a := ParseUnaryOp(name)
		_, b := ParseBinaryOp(name)
		_, c := ParseReduceOp(name)
		if a == nil || b == nil || c == nil {
			t.Errorf("%q is read: %v, %v, %v", name, a, b, c)
		}
	}
}
