package atlas_test

import (
	"context"
	"fmt"
	"log"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/atlas"
	"github.com/camlab-go/camlab/camlib/cam"
)

// Two images of class 1 are taken for class 0: where did that class find more than
// the true one? The maps of this small network have 2×2 places.
func ExampleNew() {
	backend, err := camlib.Backend(camlib.PureGo)
	if err != nil {
		log.Fatal(err)
	}
	explainer, err := cam.New(backend, newQuarters(false), cam.Options{})
	if err != nil {
		log.Fatal(err)
	}
	a, err := atlas.New(context.Background(), explainer, five())
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range a.Confusions() {
		cell := a.Cells[c.Label][c.Predicted]
		fmt.Println(c.N, "images of class", c.Label, "taken for", c.Predicted)
		fmt.Println("true class     ", cell.Map(c.Label).Values)
		fmt.Println("predicted class", cell.Map(c.Predicted).Values)
		fmt.Println("contrast       ", cell.Contrast(c.Predicted, c.Label).Values)
	}
	fmt.Println("most concentrated map of class 0: image", a.ByConcentration(0)[0])
	// Output:
	// 2 images of class 1 taken for 0
	// true class      [-2 -4 -2 2]
	// predicted class [4 8 4 2]
	// contrast        [6 12 6 0]
	// most concentrated map of class 0: image 0
}
