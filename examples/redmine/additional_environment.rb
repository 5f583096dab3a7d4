# Goes into Redmine's config folder.

require Rails.root.join('plugins/deskgate/gate').to_s
config.middleware.insert_before 0, Deskgate::Gate
