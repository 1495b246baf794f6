// Command setup is `camlab setup` for the first time: it needs no GoMLX, so it
// compiles in seconds and lets Python packages and the XLA plugin download
// while GoMLX is compiled. The makefile runs it; afterwards camlab is in .venv.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"

	"github.com/camlab-go/camlab/kernels"
)

func main() {
	gonb := flag.Bool("gonb", false, "also install kernels that run each cell by GoNB")
	flag.Parse()
	if err := run(*gonb); err != nil {
		fmt.Fprintf(os.Stderr, "camlab: %v\n", err)
		os.Exit(1)
	}
}

func run(gonb bool) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	env, err := kernels.FindEnv()
	if err != nil {
		return err
	}
	report, err := env.Setup(ctx, kernels.SetupOptions{GoNB: gonb, Progress: func(line string) { fmt.Println(line) }})
	if err != nil {
		return err
	}
	if report.Plugin != "" {
		return nil
	}
	// camlab itself also knows go-xla's installer.
	cmd := exec.CommandContext(ctx, env.Bin("camlab"), "setup")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}
