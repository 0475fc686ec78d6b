package cli

// Process is the options that every process of one component has.
type Process struct {
	Name       string `name:"name" placeholder:"NAME" help:"Name of the component, for logs and metrics. It is the type's if none is given."`
	Properties string `name:"properties" placeholder:"FILE" help:"Read properties from a file, named as after the component's name in Flume's configuration. Flags take precedence."`
	CPUs       int    `name:"cpus" placeholder:"N" help:"CPUs to use at the same time. Without it, all there are, or GOMAXPROCS."`
	Lifeline   bool   `name:"lifeline" help:"End at once when standard input, a pipe from the parent process, does."`

	Logging `embed:"" group:"Logging"`
}
