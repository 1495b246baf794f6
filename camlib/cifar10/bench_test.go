package cifar10

import (
	"testing"

	"github.com/camlab-go/camlab/internal/shared"
)

func BenchmarkLoad(b *testing.B) {
	dir := shared.Data(b)
	for b.Loop() {
		if _, _, err := Load(Options{Dir: dir}); err != nil {
			b.Fatal(err)
		}
	}
}
