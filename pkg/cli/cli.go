// Package cli joins the tagged structs that hold options to the three places
// where people meet them: the command line, the properties file and the
// manual. It is the only package that knows kong.
//
// A component's options are a struct with one field a property:
//
//	type Options struct {
//		Bind  string            `name:"bind" required:"" placeholder:"HOST" help:"Address to listen on."`
//		Idle  option.Seconds    `name:"idleTimeout" default:"30" help:"Close a connection after this long."`
//		Paths map[string]string `name:"filegroups.<group>" help:"Files of a group."`
//	}
//
// These tags count:
//
//	name         the property's name, letter for letter as Flume has it; a name
//	             that ends in <words> takes every property that begins with
//	             what stands before them, into a map; one that is <words>
//	             alone takes whatever nothing else takes, of a file also what
//	             only a command line can set elsewhere
//	aliases      other names, with commas between
//	default      the value as text, read as a given one is
//	required     a property that must be given
//	enum         the values allowed, with commas between; they are read in any
//	             letter case and become what the tag says
//	sep          what separates the values of a slice: "," unless said
//	             otherwise, " " for any white space, "none"
//	placeholder  what stands for the value in the manual
//	unit         what the default is counted in, if its type does not say
//	help         one or two sentences, with full stops
//	notice       why a property of Flume's has no effect here: it is accepted,
//	             and whoever gives it is told so
//	hidden       a property that the manual does not mention
//	group        a title in the manual under which the property stands
//	embed        on a field that is itself such a struct: its fields are taken
//	             too, with the tag prefix before their names
//
// A field's type may be any that reads itself from text, such as those of
// package option, a string, number or boolean, or a slice of these. A field
// whose type has the method
//
//	Choose(name string) (options any, err error)
//
// is a component within the component, such as a sink's serializer: its value
// is the type to choose, and the properties that begin with the field's name
// and a dot set the options that Choose returns.
//
// Decode sets such a struct from a properties file, Parse from a command line
// (and a file), through the same code: what one accepts, the other does.
// ParseCommands serves a program with subcommands, which is ordinary kong.
// Main is what the four commands have in common besides: signals, the last
// words and the exit status.
package cli
