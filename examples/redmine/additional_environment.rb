# Goes into Redmine's config folder.

# What the plugin has to know, if the environment of the server does not say it. docs/desks/redmine.md explains each.
# ENV['DESKGATE_PUBLIC_URL'] ||= 'https://desk.example.com'
# ENV['DESKGATE_AUDIENCE'] ||= 'redmine'
# ENV['DESKGATE_JWKS'] ||= 'http://127.0.0.1:8080/auth/jwks.json'

require Rails.root.join('plugins/deskgate/gate').to_s
config.middleware.insert_before 0, Deskgate::Gate
