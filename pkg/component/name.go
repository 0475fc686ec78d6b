package component

import "context"

type nameKey struct{}

// WithName returns a context for Open that carries the component's name, such
// as k1.
func WithName(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, nameKey{}, name)
}

// Name returns the name that ctx carries, "" if none.
func Name(ctx context.Context) string {
	name, _ := ctx.Value(nameKey{}).(string)
	return name
}
