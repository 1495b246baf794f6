package article_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/train"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// BenchmarkEpoch trains epochs of 4,000 images and reports how much of the time is
// spent outside the steps (host-%: the order of the images, bookkeeping, and the
// evaluation of ten images), and by how much the process's memory grows from the
// second epoch to the last.
func BenchmarkEpoch(b *testing.B) {
	sample := cifar10.Sample()
	var positions []int
	for i := range 4000 {
		positions = append(positions, i%sample.Len())
	}
	ds, err := images.Subset(sample, positions...)
	if err != nil {
		b.Fatal(err)
	}
	test, err := images.Subset(sample, positions[:10]...)
	if err != nil {
		b.Fatal(err)
	}
	const first = 2 // epochs, of which one compiles
	var began time.Time
	var before, steps float64
	_, err = train.Train(b.Context(), backendtest.XLA(b), article.New(1), ds, test, train.Config{
		Epochs: first + b.N, Augment: train.FlipCrop,
		OnEpoch: func(e train.Epoch) {
			if e.Epoch > first {
				steps += e.Seconds
			} else if e.Epoch == first {
				before, began = resident(b), time.Now()
				b.ResetTimer()
			}
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	wall := time.Since(began).Seconds()
	b.ReportMetric(100*(1-steps/wall), "host-%")
	b.ReportMetric(float64(ds.Len()*b.N)/wall, "images/s")
	b.ReportMetric(resident(b)-before, "grown-MB")
}

// resident is the process's memory in MB.
func resident(b *testing.B) float64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip(err)
	}
	var total, pages int
	if _, err := fmt.Sscan(string(text), &total, &pages); err != nil {
		b.Fatal(err)
	}
	return float64(pages*os.Getpagesize()) / 1e6
}
