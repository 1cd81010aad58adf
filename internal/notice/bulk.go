package notice

const maxRows = 10_000
