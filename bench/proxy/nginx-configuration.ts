// What every nginx of the measurement is told.

/** One worker in the foreground; `server` is the inside of its only server block. */
export function nginxConfiguration(folder: string, name: string, server: string, more = ''): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    kind => `${kind}_temp_path ${folder}/${name}-${kind};`,
  )
  return `daemon off; worker_processes 1; pid ${folder}/${name}.pid; error_log ${folder}/${name}.log warn;
events { worker_connections 4096; }
http {
access_log off; keepalive_requests 1000000; ${temporary.join(' ')}
${more}
server { ${server} }
}
`
}
