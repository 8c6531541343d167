package bench

import (
	"context"
	"math"
	"testing"

	"github.com/deconvnet/viz/model"
)

// TestSchedule: by a clock that counts its readings every task takes 1, and what is computed stays the same.
func TestSchedule(t *testing.T) {
	net, err := LeNet()
	if err != nil {
		t.Fatal(err)
	}
	forward := func(engine *model.Engine, before func(string)) *Task {
		task, err := Forward(engine, net, 3, false, before)
		if err != nil {
			t.Fatal(err)
		}
		return task
	}
	real, simulated := model.NewEngine(4), model.NewEngine(1)
	defer real.Close()
	now := 0.0
	s := NewSchedule(simulated, 4, func() float64 { now++; return now })
	task := forward(simulated, s.Before())
	want, err := forward(real, nil).Run()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := task.Run(); err != nil || got != want {
		t.Errorf("checksum %g, %v; want %g", got, err, want)
	}
	layers, err := s.Measure(context.Background(), task, 2)
	if err != nil {
		t.Fatal(err)
	}
	shares := s.Shares(task, "lenet", layers)
	names := map[string]bool{}
	for i, l := range shares[:len(shares)-1] {
		names[l.Layer] = true
		if l.Work-l.Serial != float64(l.Tasks) || l.Tasks > 0 && l.Longest != 1 || l.Serial != float64(l.Loops+1) {
			t.Errorf("layer %s: %+v", l.Layer, l)
		}
		span := l.Serial
		for _, loop := range layers[i].Loops {
			span += math.Ceil(float64(len(loop.Tasks)) / 4)
		}
		if l.Span != span || math.Abs(l.Ratio-4*span/l.Work) > 1e-12 || l.Mixed < l.Span {
			t.Errorf("layer %s: %+v, want a span of %g", l.Layer, l, span)
		}
	}
	all := shares[len(shares)-1]
	if all.Moved == 0 || all.Moved > 4<<20 || all.Other != 0 {
		t.Errorf("%d bytes between workers, %d loops not counted", all.Moved, all.Other)
	}
	if all.WorkerBound < all.WorkerBytes || all.SharedBound < all.SharedBytes || all.SharedBytes == 0 {
		t.Errorf("%d bytes a worker and %d shared, bounds %d and %d", all.WorkerBytes, all.SharedBytes, all.WorkerBound, all.SharedBound)
	}
	if all.WorkerBytes == 0 || all.WorkerBytes > 2<<20 {
		t.Errorf("%d bytes a worker", all.WorkerBytes)
	}
	if !names["conv1"] && !names["relu1"] || len(names) != len(shares)-1 || all.Layer != "all" || all.Loops < 5 || all.Tasks < all.Loops {
		t.Errorf("layers %v, all %+v", names, all)
	}
}
