// Purge discards what a channel holds:
//
//	fchan purge /var/spool/c1          says how much that would be
//	fchan purge /var/spool/c1 --yes    does it
//
// ADDR is the directory of a file channel, or the socket of a channel that
// listens. What is in a taker's hands stays: it is delivered, or given back and
// held. All the rest is discarded at once, or nothing of it if the command fails or
// is killed; puts that come meanwhile are held. It cannot be undone; fchan export
// keeps a copy.
//
// The last line says exactly how many events were discarded, with --json as one
// object: {"purged":true,"events":3,"bytes":39}.

package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"

	"github.com/flumekit/flumekit/pkg/channel"
	"github.com/flumekit/flumekit/pkg/cli"
)

//go:embed purge.go
var purgeSource string

type purgeOptions struct {
	Yes bool `name:"yes" help:"Discard it. Without this nothing is changed."`
}

// purged is what was discarded, or would be.
type purged struct {
	Purged bool `json:"purged"`
	channel.Totals
}

func runPurge(ctx, stop context.Context, args []string) error {
	var purging purgeOptions
	var how answerOptions
	cmd, err := cli.Parse(program, lookCatalog("purge", "Discard what a channel holds.", purgeSource), args,
		cli.Group{Title: "Purging", Options: &purging, Command: true},
		cli.Group{Title: "The answer", Options: &how, Command: true})
	if err != nil {
		return err
	}
	ctx, stop = cmd.Contexts(ctx, stop)
	addr := cmd.Options.Dir
	access, err := cmd.Options.look(stop)
	if err != nil {
		return err
	}
	found := purged{Purged: purging.Yes}
	var inHand channel.Totals
	if purging.Yes {
		found.Totals, err = access.Purge(ctx)
	} else {
		found.Totals, inHand, err = discardable(ctx, access)
	}
	if err = errors.Join(err, access.Close()); err != nil {
		return fmt.Errorf("purging: %w", err)
	}
	switch {
	case how.JSON:
		return writeJSON(os.Stdout, found)
	case purging.Yes:
		fmt.Printf("discarded %s\n", amount(found.Totals))
		return nil
	}
	fmt.Printf("would discard %s\n", amount(found.Totals))
	if inHand.Events > 0 {
		fmt.Printf("would leave %s in takers' hands\n", amount(inHand))
	}
	fmt.Printf("nothing is changed; to do it: fchan purge %s --yes\n", addr)
	return nil
}

// discardable returns what a purge would discard just now, and what not.
func discardable(ctx context.Context, access *channel.Access) (discarded, left channel.Totals, err error) {
	s, err := access.Stat(ctx)
	left = s.InHand.Totals
	discarded = channel.Totals{Events: s.Held.Events - left.Events, Bytes: s.Held.Bytes - left.Bytes}
	return discarded, left, err
}
