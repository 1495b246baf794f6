// Command camlab trains the article's network, draws class activation maps and
// sets up the notebooks that show them.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func main() {
	if err := newRoot().ExecuteContext(context.Background()); err != nil {
		if !errors.Is(err, errReported) {
			fmt.Fprintf(os.Stderr, "camlab: %v\n", err)
		}
		os.Exit(1)
	}
}

// errReported ends a command whose own output has already said what is wrong.
var errReported = errors.New("camlab: failed, as reported above")

// newRoot returns the whole command line. Every command prints for people, or
// JSON with --json, on standard output, and progress on standard error; an
// error is one line that ends in what mends it.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "camlab",
		Short:         "Class activation maps of a CIFAR-10 network, in Go notebooks on XLA",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(
		newSetup(),
		newDoctor(),
		newKernels(),
		newNotebook(),
		newData(),
		newTrain(),
		newRuns(),
		newEvaluate(),
		newExplain(),
		newLayers(),
		newCheck(),
		newCard(),
		newExport(),
		newFetch(),
		newReport(),
		newMeasure(),
		newLeaderboard(),
		newVersion(),
	)
	return root
}
